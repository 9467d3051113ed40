package embedded

import "syscall"

// attributes make the kernel end the child when its parent is killed, and keep the
// terminal's Ctrl-C from it, so that it ends after those who use it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
