package snapshot

// KernelFiles is what a container sees of the kernel's own files, by how they are mounted where its first process is
// (proc_pid_mountinfo(5)). Permissions and security modules can still stand in the way of writing them.
type KernelFiles struct {
	// Read is present, or says why it is not known.
	Read     Fact         `json:"read"`
	Writable []KernelFile `json:"writable,omitempty"` // what the container could write as far as mounts go: settings, devices, cgroups
	// Unmasked are files that runtimes hide and that are seen: /proc/kcore among them.
	Unmasked []string `json:"unmasked,omitempty"`
}

// KernelFile is a file or a directory of the kernel in a file system that is not mounted read-only.
type KernelFile struct {
	Path string `json:"path"` // in the container
	FS   string `json:"fs"`   // proc, sysfs, cgroup, cgroup2
	// Beyond says of a hierarchy of cgroups that it begins above the container's own.
	Beyond bool `json:"beyond,omitempty"`
}

// SyscallFilter is what the seccomp profile of a container's specification says of calls that profiles keep away (config-linux.md of
// the OCI runtime specification, seccomp).
type SyscallFilter struct {
	Default string `json:"default"` // SCMP_ACT_ERRNO, ...
	// Allows are those of the calls that are let through whatever their arguments are.
	Allows []string `json:"allows,omitempty"`
}

// DockerDaemon is how a Docker daemon protects its containers by default, from its arguments and its file (dockerd(8), daemon.json).
type DockerDaemon struct {
	PID  int    `json:"pid"`  // of dockerd
	UID  int    `json:"uid"`  // that it runs as: 0, unless it is rootless
	File string `json:"file"` // path of its settings, which need not be there
	Read Fact   `json:"read"` // present, or why its settings are not known
	// Settings have the defaults of the daemon where nothing sets them.
	ICC             bool `json:"icc"`             // containers of the default bridge reach each other
	NoNewPrivileges bool `json:"noNewPrivileges"` // containers get no more privileges by programs, unless they are started otherwise
	// whose ids containers get in a user namespace of their own: a user, or default; empty is none
	UsernsRemap string `json:"usernsRemap,omitempty"`
	Seccomp     string `json:"seccomp,omitempty"` // the profile, unconfined for none
	IPTables    bool   `json:"iptables"`          // it writes rules of the packet filter for its networks and published ports
	// Plugins authorise calls of its interface.
	Plugins []string `json:"plugins,omitempty"`
}

// InsecureRegistry is a registry of images that is asked without TLS, or whose certificate is not looked at.
type InsecureRegistry struct {
	Host    string `json:"host"`    // name or address, with a port or a path if it has one; or a network
	Runtime string `json:"runtime"` // whose settings say so: docker, containerd, podman, k3s
	File    string `json:"file"`    // path of the settings
}
