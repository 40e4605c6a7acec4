# METADATA
# title: A container runtime API listens on TCP without client certificates
# description: >-
#   Who can open a connection to the API of Docker, Podman, BuildKit or libvirt
#   can start a container with the host file system in it: root on the host. On loopback this
#   holds for every process of the host, and for workloads in its network namespace. A kubelet is
#   told of by runtime/kubelet-lets-anybody-in, and here if its settings were not looked at.
# custom:
#   severity: critical
#   reads: [listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Use the unix socket; where TCP is needed, require client certificates (--tlsverify).
#   references:
#     cis: ["Docker v1.6.0 2.7"]
#     nist: ["AC-3", "SC-7(5)"]
#     attack: ["T1610", "T1552.007"]
#     cwe: ["CWE-306"]
package ringfence.runtime.docker_api_on_tcp

import data.ringfence.lib

finding contains {
	"resource": {"kind": "service", "key": svc.key},
	"message": sprintf("the runtime API %s gives %s to %s", [svc.key, svc.gives, _whom(svc)]),
	"severity": _severity(svc),
	"evidence": array.concat(
		array.concat([sprintf("client certificates required: %s", [svc.tlsVerify])], _leads(svc)),
		[e | some zone in array.concat(_reachable(svc), _closed(svc)); some e in lib.evidence(svc.reach[zone])],
	),
	"witness": _witness(svc),
	"remediation": array.concat(
		[{"kind": "config", "text": "take tcp:// from the daemon or its socket, or ask for client certificates"}],
		[r | some zone in ["external", "workload"]; svc.reach[zone].verdict == "reachable"; some r in lib.close(zone, svc)],
	),
} if {
	some svc in input.services
	svc.class == "runtime-api"
	svc.tlsVerify != "true"
	not _unclear(svc)
	not _kept(svc)
}

# In a network namespace of its own it is open to that one's processes, whose it is.
_kept(svc) if {
	object.get(svc, "namespace", "") != ""
	count(_reachable(svc)) == 0
}

unknown contains {
	"resource": {"kind": "service", "key": svc.key},
	"reason": lib.unclear(zone, svc.reach[zone]),
} if {
	some svc in input.services
	svc.class == "runtime-api"
	svc.tlsVerify != "true"
	_local(svc)
	not lib.lesser(svc)
	some zone in ["external", "workload"]
	svc.reach[zone].verdict == "unknown"
}

# That no zone is known to reach it makes it no local one as long as the answer for one is open.
_local(svc) if _kept(svc)

_local(svc) if {
	not _unclear(svc)
	count(_reachable(svc)) == 0
}

# A port that is known for TLS, held by a program that cannot be seen, may well ask for certificates, and so may a daemon whose
# configuration was not read.
_unclear(svc) if {
	svc.tlsVerify == "unknown"
	svc.port in {2376, 10250, 16514}
}

_unclear(svc) if {
	svc.tlsVerify == "unknown"
	object.get(svc, "leads", "") != ""
}

_unclear(svc) if {
	svc.tlsVerify == "unknown"
	svc.owner in {"dockerd", "containerd", "buildkitd", "podman", "kubelet", "libvirtd", "virtproxyd", "k3s-server"}
}

unknown contains {
	"resource": {"kind": "service", "key": svc.key},
	"reason": _why(svc),
} if {
	some svc in input.services
	svc.class == "runtime-api"
	_unclear(svc)
	not _kept(svc)
	not lib.lesser(svc)
}

_why(svc) := "whether it leads to the socket of a runtime is not known: its files were not read" if {
	object.get(svc, "leads", "") == "?"
} else := sprintf("what of %s it lets through was not worked out", [svc.leads]) if {
	object.get(svc, "leads", "") != ""
} else := "whether it asks for client certificates was not seen"

_leads(svc) := [sprintf("it passes connections on to %s", [svc.leads])] if {
	object.get(svc, "leads", "") != ""
} else := []

_reachable(svc) := [zone | some zone in ["external", "workload"]; svc.reach[zone].verdict == "reachable"]

_closed(svc) := [zone | some zone in ["external", "workload"]; svc.reach[zone].verdict != "reachable"]

_whom(svc) := concat(", and to ", array.concat(
	[sprintf("everybody in %s", [lib.zones_text(_far(svc))]) | count(_far(svc)) > 0],
	["workloads in the host's own network namespace" | count(_far(svc)) < count(_reachable(svc))],
)) if count(_reachable(svc)) > 0

_whom(svc) := "every process of the host" if count(_reachable(svc)) == 0

# The zones of which more reaches it than what is in the host's own network namespace.
_far(svc) := [zone | some zone in _reachable(svc); not svc.reach[zone].local]

# Out of reach of every zone it is still open to each process of the host. What a user or a container holds gives no more than
# that, and that it is a runtime is its own word.
_severity(svc) := "medium" if {
	svc.gives != "root on the host"
	count(_reachable(svc)) > 0
} else := "low" if {
	svc.gives != "root on the host"
} else := "critical" if {
	count(_reachable(svc)) > 0
} else := "medium"

_witness(svc) := svc.reach[_reachable(svc)[0]].witness if {
	count(_reachable(svc)) > 0
} else := ""
