package local

// Op is a step of the store that changes the disk.
type Op string

// The steps, in the order in which a write takes them.
const (
	OpCreate  Op = "create"
	OpWrite   Op = "write"
	OpMkdir   Op = "mkdir"
	OpSync    Op = "sync"
	OpClose   Op = "close"
	OpRename  Op = "rename"
	OpSyncDir Op = "syncdir"
	OpRemove  Op = "remove"
)

// Fault is called before each step with the object's name, or the path for OpMkdir and
// OpSyncDir. Where it returns an error, the step is not taken and fails with that error:
// tests fail the k-th step for each k and then open the directory again. It must be safe
// for concurrent use.
type Fault func(op Op, name string) error

func (s *Store) before(op Op, name string) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(op, name)
}
