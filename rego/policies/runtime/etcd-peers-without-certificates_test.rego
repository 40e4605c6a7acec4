package ringfence.runtime.etcd_peers_without_certificates_test

import data.ringfence.runtime.etcd_peers_without_certificates as check

_doc(name, settings) := _at(name, settings, "unreachable")

_at(name, settings, verdict) := {"managed": [{
	"key": name, "name": name, "role": "cluster", "evidence": "x", "container": "", "host": true, "lesser": false,
	"settings": {k: {"state": "present", "value": v} | some k, v in settings},
	"services": [{"key": "tcp 0.0.0.0:2379 (etcd)", "loopback": false, "reach": {"external": {"verdict": verdict, "local": false, "origin": "eth0", "witness": "w", "because": [], "stoppedBy": []}}}],
}]}

test_wide_fails if {f.severity | some f in check.finding} == {"high"} with input as _doc("etcd", {"peerCertAuth": "false", "peerURLs": "http://10.0.0.1:2379,http://127.0.0.1:2379"})

test_with_certificates_passes if count(check.finding) == 0 with input as _doc("etcd", {"peerCertAuth": "true", "peerURLs": "https://10.0.0.1:2379"})

test_unread_is_unknown if count(check.unknown) == 2 with input as _doc("etcd", {})

# etcd 3.4.23 answers "GET /version" over http with certificates switched on.
test_http_has_no_certificates if {f.severity | some f in check.finding} == {"high"} with input as _doc("etcd", {"peerCertAuth": "true", "peerURLs": "https://10.0.0.1:2379,http://10.0.0.1:2381"})
