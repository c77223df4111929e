//! The agent crashes at every step, and the engine is killed, on a real engine: whatever was begun ends in the new image,
//! healthy, or the old one, running, and the server hears one true story.
//!
//! The same over a simulated runtime, with two services, second crashes and power cuts, stands beside the agent.

mod crash_points {
    mod failpoint;
    mod scene;
    mod server;
    mod world;

    mod agent;
    mod engine;
}
