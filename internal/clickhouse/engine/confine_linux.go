package engine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rights on files by the Landlock ABI that brought them; the kernel refuses unknown ones.
const (
	readFiles  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeFiles = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	// onlyFiles are the rights that a rule on a single file may hold.
	onlyFiles = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	network = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	scopes  = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
)

// systemFiles are what a process reads before and beside its own work. Of /proc there is
// nothing: it would show the parent.
var systemFiles = []string{
	"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache",
	"/usr/share/zoneinfo", "/etc/localtime",
	"/dev/null", "/dev/urandom", "/dev/random",
	"/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm",
}

// Confinable returns the version of Landlock that the kernel offers, 0 where it has none.
func Confinable() int {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
}

// rule gives rights on a path and all below it.
type rule struct {
	path   string
	rights uint64
	must   bool // the path must exist
}

// startConfined starts the command in a Landlock domain. The domain is laid on one thread
// of this process, which starts the child and ends: a child inherits the domain of the
// thread that starts it, and keeps it over exec. The libraries for Landlock restrict all
// threads by syscall.AllThreadsSyscall, which Go refuses in a program that loads C code,
// as this one does, and which would confine the parent too.
func startConfined(cmd *exec.Cmd, dataDir, library string, c *Confinement) error {
	version := Confinable()
	if version == 0 {
		return cmd.Start()
	}
	// It must exist to be named in a rule; the child makes the same one otherwise.
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	rules := []rule{
		{dataDir, readFiles | writeFiles | later(version), true},
		{library, readFiles, true},
		{cmd.Path, readFiles | unix.LANDLOCK_ACCESS_FS_EXECUTE, true},
	}
	for _, path := range c.ReadOnly {
		rules = append(rules, rule{path, readFiles, true})
	}
	for _, path := range systemFiles {
		rights := uint64(readFiles)
		switch filepath.Base(path) {
		case "null":
			rights |= unix.LANDLOCK_ACCESS_FS_WRITE_FILE
		case "lib", "lib64":
			rights |= unix.LANDLOCK_ACCESS_FS_EXECUTE // the dynamic linker
		}
		rules = append(rules, rule{path, rights, false})
	}
	domain, err := newDomain(version, rules)
	if err != nil {
		return err
	}
	defer unix.Close(domain)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		started <- startInDomain(cmd, domain)
	}()
	return <-started
}

// later are the rights to change files that came after the first version of Landlock.
func later(version int) uint64 {
	var rights uint64
	if version >= 2 {
		rights |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		rights |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	return rights
}

// newDomain returns a ruleset that forbids whatever the kernel's version knows of, but
// for the rules.
func newDomain(version int, rules []rule) (fd int, err error) {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: readFiles | writeFiles | unix.LANDLOCK_ACCESS_FS_EXECUTE | later(version)}
	size := unsafe.Sizeof(attr.Handled_access_fs)
	if version >= 4 {
		attr.Handled_access_net = network
		size += unsafe.Sizeof(attr.Handled_access_net)
	}
	if version >= 5 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		attr.Scoped = scopes
		size += unsafe.Sizeof(attr.Scoped)
	}
	r, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return 0, fmt.Errorf("create landlock ruleset: %w", errno)
	}
	domain := int(r)
	for _, rule := range rules {
		if err := addRule(domain, rule); err != nil {
			_ = unix.Close(domain)
			return 0, fmt.Errorf("allow %s: %w", rule.path, err)
		}
	}
	return domain, nil
}

func addRule(domain int, r rule) error {
	fd, err := unix.Open(r.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) && !r.must {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		r.rights &= onlyFiles
	}
	beneath := unix.LandlockPathBeneathAttr{Allowed_access: r.rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(domain), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&beneath)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// startInDomain restricts the calling thread and starts the command from it.
func startInDomain(cmd *exec.Cmd, domain int) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(domain), 0, 0); errno != 0 {
		return fmt.Errorf("enter landlock domain: %w", errno)
	}
	return cmd.Start()
}
