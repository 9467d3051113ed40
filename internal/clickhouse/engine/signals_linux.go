package engine

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	lastSignal = 64 // of Linux, real-time signals included
	sigsetSize = 8  // bytes of the kernel's signal set
)

// sigaction holds the kernel's struct sigaction untouched; it is at most 32 bytes.
type sigaction [4]uint64

// savedSignals is the process's signal handlers at one moment.
type savedSignals [lastSignal + 1]sigaction

// saveSignals reads all handlers.
func saveSignals() *savedSignals {
	var s savedSignals
	for sig := 1; sig <= lastSignal; sig++ {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&s[sig])), sigsetSize, 0, 0)
	}
	return &s
}

// restore puts the handlers back. The kernel refuses SIGKILL and SIGSTOP, which nobody
// can have changed.
func (s *savedSignals) restore() {
	for sig := 1; sig <= lastSignal; sig++ {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&s[sig])), 0, sigsetSize, 0, 0)
	}
}
