//! The container engine against a real one: at the socket `TIDEGATE_TEST_ENGINE`, with images that are made of the static
//! busybox at `TIDEGATE_TEST_BUSYBOX`. Where they are not set the tests say that they are skipped; with `CI=true` they
//! fail instead. Two tests need more: `TIDEGATE_TEST_ENGINE_RESTART` is a program that restarts that engine and returns
//! when it answers again, `TIDEGATE_TEST_REGISTRY` is the port on 127.0.0.1 of a registry that takes pushes.

mod docker_engine {
    mod adoption;
    mod bench;
    mod blue_green;
    mod faults;
    mod lifecycle;
    mod probes;
    mod pruning;
    mod pulling;
    mod restart_policies;
}
