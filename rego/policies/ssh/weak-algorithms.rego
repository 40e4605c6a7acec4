# METADATA
# title: SSH offers algorithms that are broken
# description: >-
#   The server offers a cipher, key exchange, MAC or host key algorithm that is broken or far below
#   the strength of the others: RC4, triple DES and CBC ciphers, MD5 and truncated MACs, groups of
#   1024 bits, and signatures by SHA-1 or DSA. An old client, or somebody between, has the
#   connection use it. The cipher none encrypts nothing.
# custom:
#   severity: low
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     Leave the lists at the defaults of sshd, which have none of these, or take the names out of
#     Ciphers, KexAlgorithms, MACs and HostKeyAlgorithms.
#   references:
#     cis: ["Debian 12 v1.1.0 5.1.6", "Debian 12 v1.1.0 5.1.12", "Debian 12 v1.1.0 5.1.15"]
#     nist: ["SC-13", "AC-17(2)"]
#     attack: ["T1557"]
#     cwe: ["CWE-327"]
package ringfence.ssh.weak_algorithms

import data.ringfence.lib

# Lists of sshd and the names in them that are broken (RFC 9142, RFC 8758, RFC 8270).
_broken := {
	"ciphers": `^(none|3des-cbc|arcfour.*|blowfish-cbc|cast128-cbc|rijndael-cbc@.*|aes(128|192|256)-cbc)$`,
	"kexalgorithms": `^(diffie-hellman-group1-sha1|diffie-hellman-group14-sha1|diffie-hellman-group-exchange-sha1)$`,
	"macs": `^(none|hmac-md5.*|hmac-sha1-96.*)$`,
	"hostkeyalgorithms": `^(ssh-dss.*|ssh-rsa|ssh-rsa-cert-v0[01]@openssh.com)$`,
}

_names := {"ciphers": "Ciphers", "kexalgorithms": "KexAlgorithms", "macs": "MACs", "hostkeyalgorithms": "HostKeyAlgorithms"}

_weak(ctx) := {list: names |
	some list, pattern in _broken
	names := [n | some n in split(lib.sshd_value(ctx, list), ","); regex.match(pattern, n)]
	count(names) > 0
}

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("SSH offers algorithms that are broken: %s", [concat(", ", [n | some names in weak; some n in names])]),
	"severity": _severity(ctx, weak),
	"evidence": [sprintf("%s (%s): %s has %s", [ctx.config, ctx.source, _names[list], concat(", ", names)]) | some list, names in weak],
	"remediation": lib.sshd(ctx, [{"name": _names[list], "value": sprintf("-%s", [concat(",", names)])} | some list, names in weak]),
} if {
	some ctx in input.ssh.contexts
	ctx.match == "" # a Match block cannot set them
	weak := _weak(ctx)
	count(weak) > 0
}

_severity(ctx, weak) := lib.of_host(ctx, "high") if {
	some names in weak
	"none" in names
} else := "low"

unknown := lib.sshd_unread(input.ssh.servers) | {u |
	some list, _ in _broken
	some u in lib.sshd_unsaid([ctx | some ctx in input.ssh.contexts; ctx.match == ""], list)
}

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
