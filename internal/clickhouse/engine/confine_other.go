//go:build !linux

package engine

import "os/exec"

// Confinable returns 0: only Linux has Landlock.
func Confinable() int { return 0 }

func startConfined(cmd *exec.Cmd, _, _ string, _ *Confinement) error { return cmd.Start() }
