//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// SeeCommand is the command that this program starts itself with in the root directory of the host.
const SeeCommand = "see-from-root"

// asked is what that is to do; its answer is a snapshot.
type asked struct {
	Version  string        `json:"version"`
	Deadline time.Duration `json:"deadline"`
	Only     []string      `json:"only"`
	Deep     bool          `json:"deep"`
	Root     string        `json:"root"` // as it is told in the snapshot
}

// maxAsked bounds the question.
const maxAsked = 1 << 16

// See collects from the root directory that this process was started in.
func See(ctx context.Context, in io.Reader, out io.Writer) error {
	var q asked
	if err := json.NewDecoder(io.LimitReader(in, maxAsked)).Decode(&q); err != nil {
		return fmt.Errorf("see: read what is asked: %w", err)
	}
	snap := Collect(ctx, host.Local(), Options{Deadline: q.Deadline, Now: time.Now, Version: q.Version, Only: q.Only, Deep: q.Deep, root: q.Root})
	if err := ctx.Err(); err != nil {
		return err
	}
	return snap.Write(out)
}

// CollectHost is Collect of the machine that the program runs on, by the files of the host: in a container that shares its pids they are
// below root, or if that is empty in the root directory of process 1. If these cannot be read, what depends on files is partial, and what the
// container has at their places is nobody's. The error is of a root that was named.
func CollectHost(ctx context.Context, root string, opt Options) (*snapshot.Snapshot, error) {
	apart, err := host.Apart()
	switch {
	case root == "" && err != nil && !initialMounts():
		return collectShut(ctx, err, opt), nil
	case root == "" && !apart:
		return Collect(ctx, host.Local().Noting(opt.Note), opt), nil
	}
	snap, err := collectFrom(ctx, root, opt)
	switch {
	case err == nil || ctx.Err() != nil:
		return snap, ctx.Err()
	case root != "":
		return nil, fmt.Errorf("host-root: %w", err)
	}
	return collectShut(ctx, err, opt), nil
}

// collectFrom collects in another root directory, by this program started there.
func collectFrom(ctx context.Context, root string, opt Options) (*snapshot.Snapshot, error) {
	told := root
	if told == "" {
		told = "/proc/1/root"
	}
	question, err := json.Marshal(asked{opt.Version, opt.Deadline, opt.Only, opt.Deep, told})
	if err != nil {
		return nil, err
	}
	cmd := host.Command(ctx, "/proc/self/exe", SeeCommand)
	var out, said bytes.Buffer
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(question), &out, &said
	if err := host.RunFromRoot(cmd, root); err != nil {
		if text := strings.TrimSpace(said.String()); text != "" {
			err = errors.New(text)
		}
		return nil, err
	}
	return snapshot.Load(&out)
}

// withFiles are the parts of the collectors whose facts are the kernel's but for those; others are made from files as a whole.
var withFiles = map[string][]string{
	"listeners": nil, "namespaces": nil, "network": nil, "nftables": nil, "processes": {"groups", "power", "programs"},
}

// collectShut collects without files. A collector that found nothing of its own has not seen that there is nothing.
func collectShut(ctx context.Context, cause error, opt Options) *snapshot.Snapshot {
	reason := fmt.Sprintf("the files of the host are not those of this container (%v; --host-root, or CAP_SYS_PTRACE and CAP_SYS_CHROOT with the host's pids)", cause)
	snap := Collect(ctx, host.Shut(), opt)
	snap.Host.Self.Confined = append(snap.Host.Self.Confined, reason)
	for i := range snap.Coverage {
		c := &snap.Coverage[i]
		parts, kernels := withFiles[c.Collector]
		if kernels && len(parts) == 0 {
			continue
		}
		whole := c.Status == snapshot.Partial && len(c.Parts) == 0
		if rank[c.Status] < rank[snapshot.Partial] {
			c.Status = snapshot.Partial
		}
		if !kernels || whole {
			parts = nil
		} else {
			parts = append(parts[:len(parts):len(parts)], c.Parts...)
			slices.Sort(parts)
			parts = slices.Compact(parts)
		}
		c.Parts, c.Reasons = parts, append(c.Reasons, reason)
	}
	snap.Index()
	return snap
}

// firstMounts are the numbers of the mount namespace that the kernel began with: the first that namespaces are given, before Linux 6.17, or
// MNT_NS_INIT_INO (include/uapi/linux/nsfs.h).
var firstMounts = []uint64{4026531840, 4026531841, 4026531832}

// initialMounts says that this process is in the mount namespace that the kernel began with.
func initialMounts() bool {
	return slices.Contains(firstMounts, readNamespaces(func(name string) (string, error) { return host.Local().Readlink("/proc/self/" + name) }).Mnt)
}

// ownMounts is the mountinfo of this process. From a root directory in another mount namespace nothing of its own is seen; what process 1 sees
// is what is there. A service that systemd gave mounts of its own (ProtectSystem=) sees the host's files read-only: how they are mounted
// process 1 tells.
func (s *Scan) ownMounts() ([]byte, error) {
	own, one := s.namespaces("thread-self").Mnt, s.namespaces("1").Mnt
	if s.root == "" && own != 0 && one != 0 && own != one {
		return s.Host.ReadFile("/proc/1/mountinfo")
	}
	b, err := s.Host.ReadFile("/proc/thread-self/mountinfo")
	if err == nil && len(b) == 0 && s.root != "" {
		return s.Host.ReadFile("/proc/1/mountinfo")
	}
	return b, err
}
