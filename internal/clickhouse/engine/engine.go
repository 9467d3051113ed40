// Package engine runs ClickHouse inside the appliance: libchdb, the engine as a shared
// library, in a supervised child process that speaks ClickHouse's HTTP protocol on a
// loopback port.
//
// The one invariant: a crash of the engine costs its callers the requests in flight and
// nothing else. The parent owns the listening socket, so the address outlives the child,
// requests that come while it restarts wait in the socket's backlog, and committed data
// is on disk.
//
// The parts, in the order in which a request meets them: [Start] supervises the child,
// [RunChild] is the child's main function, handler.go speaks HTTP, pool.go hands out
// engine sessions, library.go calls the C functions. [Fetch] brings the library.
package engine

// Version is the release of the engine that this code is built and tested for.
const Version = "26.7.3"
