# Stages of tests/run and .ci/run: each says what it does and how long it took, and all that failed is told at the end.
# shellcheck shell=bash disable=SC2154  # root, tools, logs, target and python are the caller's
failed=()
skipped=()
stages=0
declare -A jobs=()
bold='' red='' yellow='' plain=''
if [[ -t 1 ]]; then
    bold=$'\e[1m' red=$'\e[1;31m' yellow=$'\e[1;33m' plain=$'\e[0m'
fi

say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }

# stage TITLE COMMAND…: runs it, keeps what it said, and goes on after a failure.
stage() {
    local title=$1 from=$SECONDS log status
    shift
    stages=$((stages + 1))
    log=$logs/$stages.log
    say "$title"
    if [[ $1 == cargo ]]; then
        # With the tests' own counts, for the end.
        "$@" 2>&1 | tee "$log"
    else
        # A progress bar wants a terminal, and a function of this shell this shell.
        "$@"
    fi
    status=$?
    if ((status == 0)); then
        printf '== ok, %s s\n' $((SECONDS - from))
    else
        failed+=("$title")
        printf '%s== FAILED after %s s: %s%s\n' "$red" $((SECONDS - from)) "$title" "$plain"
    fi
    return "$status"
}

# background NAME COMMAND…: starts it; `joined NAME` waits for it and shows what it said.
background() {
    local name=$1
    shift
    "$@" >"$logs/$name.out" 2>&1 &
    jobs[$name]=$!
}

joined() {
    wait "${jobs[$1]}"
    local status=$?
    unset "jobs[$1]"
    cat "$logs/$1.out"
    return "$status"
}

# What the tests themselves counted, what was left out, and what failed. Decides the exit code.
finish() {
    local status=$? job
    for job in "${jobs[@]}"; do kill "$job" 2>/dev/null; done
    stop_emulator
    stop_engine
    local counts
    counts=$(cat "$logs"/[0-9]*.log 2>/dev/null | awk '
        /^test result: / {
            for (i = 4; i < NF; i++) {
                if ($(i + 1) ~ /^passed/) p += $i
                if ($(i + 1) ~ /^failed/) f += $i
                if ($(i + 1) ~ /^ignored/) g += $i
            }
        }
        END { if (p + f + g) printf "%d passed, %d failed, %d ignored", p, f, g }')
    say "$((SECONDS - began)) s in all${counts:+; tests: $counts}"
    rm -f "$logs"/[0-9]*.log
    local what
    for what in "${skipped[@]}"; do printf '%sSKIPPED: %s%s\n' "$yellow" "$what" "$plain"; done
    for what in "${failed[@]}"; do printf '%sFAILED: %s%s\n' "$red" "$what" "$plain"; done
    if ((${#failed[@]} > 0 || status != 0)); then
        echo "$stages stages, ${#failed[@]} failed"
        exit $((status == 0 ? 1 : status))
    fi
    echo "$stages stages, all ok"
}

need() {
    command -v "$1" >/dev/null && return
    printf '%s%s is not here: install %s, then run this again%s\n' "$red" "$1" "$2" "$plain" >&2
    failed+=("finding $1")
    exit 1
}

find_python() {
    local candidate
    for candidate in ${TIDEGATE_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11 or newer is not here: install it (Debian: apt-get install python3 python3-venv), or name it in" \
        "TIDEGATE_PYTHON, and run this again" >&2
    return 1
}

# make_venv FOLDER REQUIREMENTS: a private Python environment with just these versions; nothing to do where it is there.
make_venv() {
    local folder=$1 requirements=$2 wanted pip
    wanted=$(cat "$requirements" infra/requirements.txt)
    if "$folder/bin/python" -c '' 2>/dev/null && [[ $(cat "$folder/made-of" 2>/dev/null) == "$wanted" ]]; then
        echo "$folder is there already"
        return
    fi
    rm -rf "$folder"
    unset PYTHONHOME PYTHONPATH
    pip=("$folder/bin/python" -m pip)
    # Debian ships venv apart from Python.
    if ! "$python" -m venv "$folder" 2>/dev/null; then
        rm -rf "$folder"
        if "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip "$folder"; then
            pip=("$python" -m pip --python "$folder/bin/python")
        elif ! "$python" -m virtualenv -q "$folder"; then
            echo "$python cannot make virtual environments (Debian: apt-get install python3-venv)"
            return 1
        fi
    fi
    "${pip[@]}" install --quiet --no-input --disable-pip-version-check -r "$requirements" || return 1
    printf '%s' "$wanted" >"$folder/made-of"
    echo "$folder holds what $requirements names"
}

# What TypeScript clients are made with: Node's packages, in the folder in which the client is made.
make_node_modules() {
    local folder=$1
    mkdir -p "$folder" || return 1
    if cmp -s tests/contract/package-lock.json "$folder/made-of"; then
        echo "$folder has its packages already"
        return
    fi
    rm -f "$folder/made-of"
    cp tests/contract/package.json tests/contract/package-lock.json "$folder/" || return 1
    (cd "$folder" && npm ci --silent --no-audit --no-fund --ignore-scripts) || return 1
    cp tests/contract/package-lock.json "$folder/made-of"
    echo "$folder has what tests/contract/package-lock.json names"
}

# Whether Node is here; without it the TypeScript client is left out, unless nothing may be.
has_node() {
    if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then
        return
    fi
    if [[ ${CI:-} == true ]]; then
        echo "Node 20 or newer is not here, and the TypeScript client must not be left out" >&2
        return 1
    fi
    skipped+=("the TypeScript client: Node 20 or newer, with npm, is not here")
    return 1
}

# Everything that other people's tools try the contract with; goes on after a failure.
try_contract() {
    local check failed_checks=()
    for check in document_is_valid python_client ${with_node:+typescript_client} fuzz; do
        printf '\n-- %s\n' "$check"
        "$check" || failed_checks+=("$check")
    done
    if ((${#failed_checks[@]} > 0)); then
        echo "failed: ${failed_checks[*]}"
        return 1
    fi
}

fuzz() {
    "$tools/contract-venv/bin/python" tests/contract/fuzz.py
}

# The document, as validators see it.
document_is_valid() {
    "$tools/contract-venv/bin/openapi-spec-validator" docs/openapi.json || return
    [[ -z $with_node ]] && return
    REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true NODE_NO_WARNINGS=1 \
        "$tools/typescript/node_modules/.bin/redocly" lint --config tests/contract/redocly.yaml docs/openapi.json
}

# A client made of the document, type-checked, calling every operation of the routes in memory.
python_client() {
    local folder=$tools/python-client python=$tools/contract-venv/bin/python
    rm -rf "$folder"
    mkdir -p "$folder" || return 1
    "$tools/contract-venv/bin/openapi-python-client" generate --path docs/openapi.json --meta none \
        --config tests/contract/python-client.yaml --output-path "$folder/tidegate_client" --fail-on-warning || return
    PYTHONPATH='' MYPYPATH=$folder:tests/contract "$python" -m mypy --strict --cache-dir "$tools/mypy" \
        "$folder/tidegate_client" tests/contract/client.py || return
    PYTHONPATH=$folder "$python" tests/contract/client.py
}

typescript_client() {
    local folder=$tools/typescript bin=$tools/typescript/node_modules/.bin
    cp tests/contract/client.ts tests/contract/tsconfig.json "$folder/" || return 1
    "$bin/openapi-typescript" docs/openapi.json --output "$folder/generated/tidegate.d.ts" || return
    "$bin/tsc" --project "$folder" || return
    "$tools/contract-venv/bin/python" tests/contract/routes.py node "$folder/out/client.js" docs/openapi.json
}

# A registry program in PATH, else Debian's, unpacked into the tools' folder: no service is installed or started.
find_registry() {
    if command -v docker-registry >/dev/null; then
        echo "docker-registry is here: $(command -v docker-registry)"
        return
    fi
    if shared/rig/fetch.sh "$tools" registry; then
        echo "docker-registry is in $tools/registry"
        return
    fi
    if [[ ${TIDEGATE_REQUIRE_REGISTRY:-} == 1 || ${CI:-} == true ]]; then
        echo "docker-registry cannot be had, and must not be left out here" >&2
        return 1
    fi
    skipped+=("the tests against a real image registry: docker-registry is not here and could not be fetched")
    echo "SKIPPED: docker-registry cannot be had; its tests are left out" >&2
}

# The programs of a container engine and what its tests use beside it; the rig's tests look for them in the same places.
fetch_engine() {
    local program lacks=()
    for program in dockerd containerd containerd-shim-runc-v2 runc docker-proxy docker-init; do
        command -v "$program" >/dev/null || lacks+=("$program")
    done
    shared/rig/fetch.sh "$tools" busybox && shared/rig/fetch.sh "$tools" registry || return
    if ((${#lacks[@]} == 0)); then
        echo "the programs of a container engine are here: $(command -v dockerd)"
        return
    fi
    shared/rig/fetch.sh "$tools" engine && echo "the programs of a container engine are in $tools/engine"
}

# Starts an engine of the tests' own, from what `background engine fetch_engine` fetched, or says why there is none.
start_engine() {
    local why='it needs root' home=$tools/rig
    mkdir -p "$home" || return 1
    if ((EUID == 0)); then
        why='its programs are not here and could not be fetched'
        if joined engine; then
            why='it does not start'
            rm -f "$home/env"
            "$target/debug/examples/engine" "$tools" >"$home/env" 2>"$home/log" &
            echo $! >"$home/pid"
            while [[ ! -s $home/env ]] && kill -0 "$(cat "$home/pid")" 2>/dev/null; do sleep 0.1; done
            if [[ -s $home/env ]]; then
                cat "$home/env"
                return
            fi
            cat "$home/log"
        fi
    fi
    : >"$home/env"
    if [[ ${TIDEGATE_REQUIRE_ENGINE:-} == 1 || ${CI:-} == true ]]; then
        echo "there is no container engine: $why. Its tests must not be left out here" >&2
        return 1
    fi
    skipped+=("the tests on a real container engine: $why")
    echo "SKIPPED: there is no container engine: $why. Its tests are left out" >&2
}

stop_engine() {
    local file=$tools/rig/pid pid
    [[ -f $file ]] || return 0
    pid=$(cat "$file")
    rm -f "$file"
    # It ends what it runs and clears that away.
    kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    return 0
}

# On a stack of its own, which is gone afterwards, however it ended.
real_demo() {
    local ended state=$PWD/$tools/real-demo
    [[ $tools = /* ]] && state=$tools/real-demo
    TIDEGATE_STATE=$state "$target/debug/tidegate" demo --real
    ended=$?
    TIDEGATE_STATE=$state "$target/debug/tidegate" down
    return "$ended"
}

# The emulator of the store's contract tests: on a free port of its own, without memory.
start_emulator() {
    local home=$PWD/$tools/emulator
    [[ $tools = /* ]] && home=$tools/emulator
    rm -rf "$home"
    mkdir -p "$home/state" "$home/tmp" || return 1
    local port url
    port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    url=http://127.0.0.1:$port
    env -i PATH="$PATH" HOME="$home" TMPDIR="$home/tmp" BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" \
        STATE_DIR="$home/state" S3_DATA_DIR="$home/s3" IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 LOG_LEVEL=WARNING \
        AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 \
        "$tools/venv/bin/python" -E -s -B -W ignore infra/emulator.py >"$home/log" 2>&1 &
    echo $! >"$home/pid"
    "$python" - "$url/_ministack/health" <<'PYTHON' && echo "$url" >"$home/url" && echo "it answers at $url" && return
import sys, time, urllib.request

direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for _ in range(300):
    try:
        sys.exit(direct.open(sys.argv[1], timeout=5).status != 200)
    except OSError:
        time.sleep(0.1)
sys.exit(1)
PYTHON
    echo "the emulator does not answer:"
    tail -20 "$home/log"
    return 1
}

stop_emulator() {
    local file=$tools/emulator/pid
    [[ -f $file ]] || return 0
    kill "$(cat "$file")" 2>/dev/null
    rm -f "$file"
}
