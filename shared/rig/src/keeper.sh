# Keeps a program for the process that holds this script's standard input open, and ends it when that one is gone, however
# it went. A line of input is a word: start, stop (in peace), kill (as a crash), look. Each is answered with a line.
#
# Its arguments: a log, then the program with its arguments. What `before` and `after` do is said above this.
# shellcheck shell=sh
log=$1
shift
program=

there() {
    [ -n "$program" ] && read -r _ _ state _ 2>/dev/null <"/proc/$program/stat" && [ "$state" != Z ]
}

stop() {
    # The program may be slow to end what it runs, but not for ever.
    left=200
    there && kill -TERM "$program"
    while there && [ "$left" -gt 0 ]; do
        sleep 0.1
        left=$((left - 1))
    done
    crash
}

crash() {
    there && kill -KILL "$program"
    [ -n "$program" ] && wait "$program"
    program=
}

if ! before >>"$log" 2>&1; then
    echo failed
    exit 1
fi
echo ready
while read -r word; do
    case $word in
    start)
        "$@" >>"$log" 2>&1 </dev/null &
        program=$!
        ;;
    stop) stop ;;
    kill) crash ;;
    esac
    if there; then echo there; else echo gone; fi
done
stop
after >>"$log" 2>&1
