package ringfence.lib_test

import data.ringfence.lib

# A workload in the host's network namespace is reached over loopback, the world by the network: each zone has one way
# to be closed, whatever the others have.
_svc := {
	"proto": "tcp", "port": 22,
	"reach": {"external": {"local": false}, "workload": {"local": true}, "management": {"local": false}},
}

test_close_is_one_answer_a_zone if {
	kinds := {zone: lib.close(zone, _svc)[0].kind | some zone, _ in _svc.reach}
	kinds == {"external": "nft", "workload": "words", "management": "nft"}
}

# What a filter closes is the service: its address where it has one of its own, and the device that it is bound to.
test_close_carries_the_address if {
	svc := object.union(_svc, {"hostAddr": "203.0.113.1", "family": 4, "device": "ext0"})
	lib.close("external", svc)[0].deny == {
		"zone": "external", "proto": "tcp", "port": 22,
		"addr": "203.0.113.1", "family": 4, "device": "ext0",
	}
	lib.close("external", object.union(_svc, {"hostAddr": "", "family": 0, "device": ""}))[0].deny == {"zone": "external", "proto": "tcp", "port": 22}
}

# What is reached through a program that passes connections on is closed there.
test_close_is_the_port_that_leads_there if {
	by := {"program": "socat", "proto": "tcp", "port": 8001, "hostAddr": "", "family": 4, "device": ""}
	svc := object.union(_svc, {"hostAddr": "127.0.0.1", "by": {"external": by}})
	lib.close("external", svc)[0].deny == {"zone": "external", "proto": "tcp", "port": 8001, "family": 4}
}

test_quoted := {"/dev/ipmi0", "'a b'", "'x; rm -rf /'", `'it'\''s'`, "'$(id)'", "''"} == {lib.quoted(s) |
	some s in ["/dev/ipmi0", "a b", "x; rm -rf /", "it's", "$(id)", ""]
}

# What is copied is a line: no part of a name is one of its own.
test_quoted_stays_on_its_line := {`$'a\nrm -rf ~\n'`, `$'\'\\\n\x1b?'`} == {lib.quoted(s) | some s in ["a\nrm -rf ~\n", "'\\\n\u001b\u0001"]}

test_zones_text := {"the zone external", "the zones external and workload"} == {lib.zones_text(list) | some list in [["external"], ["external", "workload"]]}

# A guest is no way into the host, and may not serve what leads to it.
test_severity_of_a_guest if {
	lib.service_severity("external", {"guestPort": 22}) == "high"
	lib.service_severity("workload", {"guestPort": 22}) == "medium"
	lib.service_severity("management", {"guestPort": 22}) == "info"
	lib.if_served({"guestPort": 22}) == " (port 22 of a guest, if it serves that)"
	lib.if_served({}) == ""
}

# What is done by hand in the same way for several zones says for which.
test_close_by_hand_names_its_zone if {
	away := object.union(_svc, {"namespace": "the external zone"})
	every answer in [lib.close("external", away), lib.close("workload", _svc)] {
		count(answer) == 1
		not contains(replace(answer[0].text, "the external zone", ""), "zone")
	}
	lib.close("external", away)[0].zones == ["external"]
	lib.close("workload", _svc)[0].zones == ["workload"]
}

# What a Match block sets no file of ours changes, that is read before it: that is for people. What it leaves to everybody's line is.
test_settings_of_a_match_block if {
	ctx := {"config": "/c", "of": "", "source": "sshd -T", "match": "User a", "options": [], "matched": ["passwordauthentication"]}
	lib.sshd(ctx, [{"name": "PasswordAuthentication", "value": "no"}]) == [{"kind": "words", "text": "in /c, Match User a: PasswordAuthentication no"}]
	lib.sshd(ctx, [{"name": "PermitTunnel", "value": "no"}])[0].kind == "sshd"
	lib.sshd(object.union(ctx, {"of": "container x"}), [{"name": "PermitTunnel", "value": "no"}])[0].kind == "words"
}
