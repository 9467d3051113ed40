package engine

// Confinement says what a confined child may touch beside its own data directory, which
// it may read and write, and what every process of its kind reads (the C library, time
// zones, the machine's processors and memory). It gets no network, may not signal other
// processes, and inherits no variable of the parent's environment.
type Confinement struct {
	// ReadOnly are files and directories that it may read, with all that is in them: the
	// lake. They must exist.
	ReadOnly []string
}
