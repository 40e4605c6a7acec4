//go:build linux && !ringfence_portable

package host

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// Detach starts this program again in a session of its own, without terminal and files of this one, and
// outside its cgroup where that can be: what ends this session does not end it. In the system's own network
// namespace systemd starts it, where there is one; else it moves itself.
func Detach(args []string) error {
	if runner := systemdRun(); runner != "" {
		exe, err := OwnProgram()
		if err != nil {
			return err
		}
		cmd := exec.Command(runner, append([]string{"--quiet", "--collect", "--no-block", "--", exe}, args...)...)
		cmd.Env = Environment()
		if cmd.Run() == nil {
			return nil
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	defer null.Close()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.Env = null, null, null, "/", Environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	pid := []byte(strconv.Itoa(cmd.Process.Pid))
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if os.WriteFile(root+"/cgroup.procs", pid, 0) == nil {
			break
		}
	}
	return cmd.Process.Release()
}

// Systemd says whether systemd is the init of this system (sd_booted(3)).
func Systemd() bool {
	st, err := os.Lstat("/run/systemd/system")
	return err == nil && st.IsDir()
}

// systemdRun is the program that starts transient units, where systemd is the init of a system whose
// network namespace is this process's own.
func systemdRun() string {
	if !Systemd() {
		return ""
	}
	own, err1 := os.Readlink("/proc/thread-self/ns/net")
	init, err2 := os.Readlink("/proc/1/ns/net")
	if err1 != nil || err2 != nil || own != init {
		return ""
	}
	const name = "/usr/bin/systemd-run"
	if author, _, err := Local().Author(name); err != nil || !author.Root() {
		return ""
	}
	return name
}
