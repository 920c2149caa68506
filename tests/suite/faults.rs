//! What goes wrong around medal, and what must still be true afterwards.

mod crashes;
mod events;
mod hostile_data;
mod hostile_projects;
mod publishing;
mod scale;
mod secrets;
