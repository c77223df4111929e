use super::*;

#[test]
fn messages_of_engines() {
    use Reason::*;
    let cases: &[(&str, Reason)] = &[
        ("manifest for localhost:5000/app:v9 not found: manifest unknown: manifest unknown", ImageNotFound),
        ("failed to resolve reference \"docker.io/library/app:9\": docker.io/library/app:9: not found", ImageNotFound),
        ("failed to resolve reference \"r.example/app:9\": failed to do request", RegistryUnavailable),
        ("No such image: app:v9", ImageNotFound),
        (
            "pull access denied for app, repository does not exist or may require 'docker login': denied: requested \
             access to the resource is denied",
            RegistryDenied,
        ),
        ("Get \"https://r.example/v2/app/manifests/1\": unauthorized: authentication required", RegistryDenied),
        ("Head \"https://r.example/v2/app/manifests/1\": no basic auth credentials", RegistryDenied),
        ("no matching manifest for linux/amd64 in the manifest list entries", WrongPlatform),
        ("choosing an image from manifest list: no image found in manifest list for architecture arm64", WrongPlatform),
        ("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", DiskFull),
        ("filesystem layer verification failed for digest sha256:12", CorruptImage),
        ("layers from manifest don't match image configuration", CorruptImage),
        ("toomanyrequests: You have reached your pull rate limit.", RegistryUnavailable),
        ("Get \"http://localhost:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused", RegistryUnavailable),
        ("Get \"http://localhost:1/v2/\": http: server closed idle connection", RegistryUnavailable),
        ("Get \"https://r.example/v2/\": dial tcp 192.0.2.1:443: connect: connection timed out", RegistryUnavailable),
        ("Get \"https://r.example/v2/\": dial tcp: lookup r.example: no such host", RegistryUnavailable),
        ("Get \"https://r.example/v2/\": net/http: TLS handshake timeout", RegistryUnavailable),
        ("read tcp 10.0.0.2:4->10.0.0.3:443: read: connection reset by peer", RegistryUnavailable),
        ("unexpected EOF", RegistryUnavailable),
        ("Get \"https://r.example/v2/\": EOF", RegistryUnavailable),
        ("received unexpected HTTP status: 503 Service Unavailable", RegistryUnavailable),
        (
            "driver failed programming external connectivity on endpoint web (1f): Bind for 0.0.0.0:80 failed: port is \
             already allocated",
            PortTaken,
        ),
        (
            "driver failed programming external connectivity on endpoint web (1f): Error starting userland proxy: \
             listen tcp4 0.0.0.0:80: bind: address already in use",
            PortTaken,
        ),
        (
            "Conflict. The container name \"/web\" is already in use by container \"1f\". You have to remove (or \
             rename) that container to be able to reuse that name.",
            NameTaken,
        ),
        (
            "OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"/nope\": \
             stat /nope: no such file or directory: unknown",
            ExitsAtOnce,
        ),
        (
            "failed to create shim task: OCI runtime create failed: runc create failed: exec: \"nope\": executable file \
             not found in $PATH: unknown",
            ExitsAtOnce,
        ),
        ("standard_init_linux.go:228: exec user process caused: exec format error", WrongPlatform),
        ("invalid restart policy 'sometimes'", Refused),
    ];
    for (message, expected) in cases {
        assert_eq!(reason_of(message), *expected, "{message}");
    }
}

#[test]
fn answers_that_do_not_come() {
    let io = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let cases = [
        ("no socket", Error::SocketNotFoundError("/run/docker.sock".to_owned())),
        ("hung", Error::RequestTimeoutError),
        ("refused", Error::IOError { err: io }),
    ];
    for (label, error) in cases {
        let refusal = Refusal::new("listing containers", &error);
        assert_eq!(refusal.fault.reason, Reason::EngineUnavailable, "{label}");
        assert!(refusal.fault.why.starts_with("listing containers"), "{label}: {}", refusal.fault.why);
    }
}

#[test]
fn what_is_not_there_is_no_fault() {
    let refused = |status_code| {
        let error = Error::DockerResponseServerError { status_code, message: "No such container: 1f".to_owned() };
        Err::<(), _>(Refusal::new("removing", &error)).found()
    };
    assert_eq!(refused(404), Ok(None));
    assert_eq!(refused(500).map_err(|fault| fault.reason), Err(Reason::Refused));
}
