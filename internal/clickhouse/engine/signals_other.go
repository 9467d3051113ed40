//go:build !linux

package engine

// savedSignals is empty where the engine's child does without Go's handlers.
type savedSignals struct{}

func saveSignals() *savedSignals { return &savedSignals{} }

func (*savedSignals) restore() {}
