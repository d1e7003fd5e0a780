//! A build's sandbox as a plan value, and entering it.
