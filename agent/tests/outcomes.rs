//! The table "When things go wrong" of docs/agent.md, row by row: the agent's binary with a real engine, a real registry
//! and a server, and what it told, what serves and what is left in the end.

mod outcomes {
    mod case;
    mod device;
    mod server;
    mod stage;
    mod table;
    mod trouble;
    mod wait;
    mod way;
}
