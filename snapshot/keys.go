package snapshot

// What collectors ask for by name: the keys that the maps of a snapshot have. A policy that asks for another one would never get an answer.

// KernelSysctls are the kernel settings that are judged, besides those of the network section.
var KernelSysctls = []string{
	"kernel/randomize_va_space", "kernel/yama/ptrace_scope", "kernel/kptr_restrict",
	"kernel/dmesg_restrict", "kernel/unprivileged_bpf_disabled", "kernel/perf_event_paranoid",
	"kernel/kexec_load_disabled", "kernel/modules_disabled", "kernel/sysrq", "kernel/io_uring_disabled",
	"kernel/core_pattern", "kernel/unprivileged_userns_clone",
	"kernel/apparmor_restrict_unprivileged_userns", "kernel/tainted", "user/max_user_namespaces",
	"vm/unprivileged_userfaultfd", "vm/mmap_min_addr", "vm/memfd_noexec", "dev/tty/legacy_tiocsti",
	"dev/tty/ldisc_autoload", "fs/protected_symlinks", "fs/protected_hardlinks", "fs/protected_fifos",
	"fs/protected_regular", "fs/suid_dumpable", "net/core/bpf_jit_harden", "net/ipv4/tcp_syncookies",
}

// LoosePickup is nf_conntrack_tcp_loose (Documentation/networking/nf_conntrack-sysctl.rst).
const LoosePickup = "net/netfilter/nf_conntrack_tcp_loose"

// Checksums is nf_conntrack_checksum: whether conntrack verifies the checksums of what comes in (Documentation/networking/nf_conntrack-sysctl.rst).
const Checksums = "net/netfilter/nf_conntrack_checksum"

// NetworkSysctls are the switches of a network namespace as a whole.
var NetworkSysctls = []string{
	"net/ipv4/ip_forward", "net/ipv4/ip_nonlocal_bind", "net/ipv4/fwmark_reflect",
	"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables",
	"net/bridge/bridge-nf-call-arptables", LoosePickup, Checksums,
	"net/netfilter/nf_conntrack_helper", "net/ipv4/tcp_l3mdev_accept", "net/ipv4/udp_l3mdev_accept",
}

// LinkSysctls are the switches of each interface by family: net/FAMILY/conf/INTERFACE/NAME.
var LinkSysctls = map[string][]string{
	"ipv4": {
		"forwarding", "rp_filter", "route_localnet", "accept_local", "accept_source_route",
		"accept_redirects", "send_redirects", "arp_ignore", "src_valid_mark", "mc_forwarding", "disable_policy",
	},
	"ipv6": {"forwarding", "force_forwarding", "disable_ipv6", "accept_ra", "mc_forwarding", "disable_policy"},
}

// SecurityFacts and FactFiles are the facts of the kernel by their files, below /sys/kernel/security and anywhere; OtherFacts are those that are
// found in another way.
var (
	SecurityFacts = map[string]string{"lockdown": "lockdown", "lsm": "lsm", "ima": "ima/policy", "apparmor": "apparmor/profiles"}
	FactFiles     = map[string]string{
		"selinux": "/sys/fs/selinux/enforce", "cmdline": "/proc/cmdline",
		"moduleSignatures": "/sys/module/module/parameters/sig_enforce",
		"modules":          "/proc/modules", "swaps": "/proc/swaps", "smt": "/sys/devices/system/cpu/smt/active",
		"ksm": "/sys/kernel/mm/ksm/run",
	}
	OtherFacts = []string{"secureBoot", "ostree", "audit"}
)

// The settings of services of Windows by their names in the registry; RDPDeny, RDPFIPS, SMBStart and SMB1Driver are at other places than the rest.
var (
	WinRMSettings = []string{
		"auth_basic", "auth_kerberos", "auth_negotiate", "auth_certificate", "auth_credssp", "allow_unencrypted", "allow_remote_access", "ipv4_filter",
		"ipv6_filter", "cbt_hardening_level", WinRMTrusted,
	}
	RDPSettings = []string{"PortNumber", "UserAuthentication", "SecurityLayer", "MinEncryptionLevel", "Shadow"}
	SMBSettings = []string{
		"SMB1", "SMB2", "RequireSecuritySignature", "EnableSecuritySignature", "RestrictNullSessAccess", "AutoShareServer", "AutoShareWks", "EncryptData",
		"RejectUnencryptedAccess",
	}
)

const (
	RDPDeny  = "fDenyTSConnections"
	SMBStart = "start"
	// SMB1Driver is how the driver of SMB 1 starts (Services\srv, Start): without it nothing speaks SMB 1, whatever is set.
	SMB1Driver = "srv"
	// RDPFIPS says that Windows as a whole encrypts by FIPS alone (Control\Lsa\FipsAlgorithmPolicy, Enabled).
	RDPFIPS = "FipsAlgorithmPolicy"
	// WinRMTrusted are the hosts to which the host itself sends what it logs in with, whoever answers (WSMAN\Client, trusted_hosts).
	WinRMTrusted = "trusted_hosts"
)
