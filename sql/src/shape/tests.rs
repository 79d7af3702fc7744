//! What shapes make of cells.
