//! What goes wrong on a device, row by row as docs/agent.md has it: the agent's program, a real engine, a real registry,
//! and a server that hears what is told of it.

mod outcomes {
    mod cases;
    mod device;
    mod hostile;
    mod interrupted;
    mod server;
    mod world;
}
