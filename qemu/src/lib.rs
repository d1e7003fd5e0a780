//! Virtual machines: QMP, serial console, guest agent.
