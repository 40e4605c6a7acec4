//go:build linux && !ringfence_portable

package host

import (
	"context"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Command prepares a program that ends with ctx, together with what it started in its process group, and with this
// process however that ends. It has no terminal of its own. Start it by Run.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second // whoever left the process group can still hold its output
	return cmd
}

// Again prepares this program, started with these arguments in the root directory and with no environment.
func Again(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args, cmd.Dir, cmd.Env = append([]string{"ringfence"}, args...), "/", []string{}
	return cmd
}

// Run starts a program that Command prepared, and waits for it. The kernel ends such a program when the thread that
// started it ends (PR_SET_PDEATHSIG(2const)), and threads do end here: those that were in another network namespace.
// So it keeps one to itself.
func Run(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}
