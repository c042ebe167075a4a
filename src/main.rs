//! The `modelpager` program: parses the command line and maps its result to an exit code.

fn main() {}
