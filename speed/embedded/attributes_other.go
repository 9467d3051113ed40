//go:build !linux

package embedded

import "syscall"

// attributes keep the terminal's Ctrl-C from the child. There is no death signal here:
// a server that outlives a killed parent is ended by the next Start.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
