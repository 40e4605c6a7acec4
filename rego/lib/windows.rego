# What checks of Windows hosts share.
package ringfence.lib.windows

# close is the rule of the firewall that closes a listener to a zone. What processes of the host send over loopback no rule filters.
close(zone, svc) := [{
	"kind": "winfw",
	"text": sprintf("block %s port %d from the %s zone", [svc.proto, svc.port, zone]),
	"deny": object.union({"zone": zone, "proto": svc.proto, "port": svc.port, "family": svc.family}, _at(svc)),
}] if {
	not svc.reach[zone].local
} else := [{
	"kind": "words",
	"text": sprintf("on the host it is reached over loopback, which Windows never filters: %s port %d has to ask who connects", [svc.proto, svc.port]),
}]

_at(svc) := {"addr": svc.addr} if {
	not svc.addr in {"0.0.0.0", "::"}
} else := {}

# reachable are the services of a class that a zone reaches, and the zone.
reachable(services, class) := {{"svc": svc, "zone": zone, "reach": reach} |
	some svc in services
	svc.class == class
	some zone in {"workload", "external"}
	reach := svc.reach[zone]
	reach.verdict == "reachable"
}

# unclear are those of which it is not known.
unclear(services, class) := {{"svc": svc, "zone": zone, "reach": reach} |
	some svc in services
	svc.class == class
	some zone in {"workload", "external"}
	reach := svc.reach[zone]
	reach.verdict == "unknown"
}

# severity of a management service that a zone reaches; what an agent on the host reaches over loopback is no network's.
severity(x, of_network) := "medium" if {
	x.reach.local
} else := of_network

# on says of a setting that it is 1.
on(s) if {
	s.state == "present"
	s.value == "1"
}

# off says of a setting that it is 0.
off(s) if {
	s.state == "present"
	s.value == "0"
}

# unread says of a setting that it is neither there nor absent.
unread(s) if not s.state in {"present", "absent"}

# names of SIDs that people know.
names := {
	"S-1-1-0": "everyone", "S-1-5-7": "anonymous logons", "S-1-5-11": "authenticated users", "S-1-5-4": "interactive users", "S-1-5-2": "network logons",
	"S-1-5-6": "services", "S-1-5-32-545": "users", "S-1-5-32-546": "guests", "S-1-5-32-547": "power users", "S-1-5-32-580": "remote management users",
	"S-1-5-32-555": "remote desktop users", "S-1-5-32-578": "Hyper-V administrators", "S-1-5-32-551": "backup operators", "S-1-15-2-1": "all app packages",
}

# who are SIDs in words.
who(list) := concat(", ", [object.get(names, sid, sid) | some sid in list])

# broad are the SIDs that stand for many, programs of agents and services among them.
broad := {"S-1-1-0", "S-1-5-7", "S-1-5-11", "S-1-5-4", "S-1-5-2", "S-1-5-32-545", "S-1-5-32-546", "S-1-15-2-1"}

# not_told is why it is not known what a setting is.
not_told(name, s) := sprintf("%s is set nowhere, and what counts then is not known", [name]) if {
	s.state == "absent"
} else := sprintf("%s was not read", [name])

# by_policy is what evidence adds to a setting that a policy makes.
by_policy(s) := " by a policy" if s.policy

else := ""

# change is how a setting is made another one: what a policy sets, a command on the host does not change.
change(of_policy, what, command) := [{
	"kind": "words",
	"text": sprintf("set %s in the policy that sets it, which wins over what is set on the host", [what]),
}] if {
	of_policy
} else := [{"kind": "command", "text": command}]

# firewall_set is change for a setting of a profile of the firewall.
firewall_set(p, setting, value, argument) := change(
	setting in p.policy, sprintf("%s of the %s profile to %s", [setting, p.profile, value]),
	sprintf("Set-NetFirewallProfile -Name %s %s", [p.profile, argument]),
)

# rdp_set is change for one of Remote Desktop.
rdp_set(name, value, s) := change(
	s.policy, sprintf("%s to %d", [name, value]),
	sprintf("Set-ItemProperty 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations\\RDP-Tcp' %s %d", [name, value]),
)
