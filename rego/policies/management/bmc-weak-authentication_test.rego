package ringfence.management.bmc_weak_authentication_test

import data.ringfence.management.bmc_weak_authentication as check

_good := {
	"lanChannel": 1, "cipherSuite0": "unused", "anonymous": false, "nullUsers": false,
	"authTypes": ["md5"], "community": "other",
}

_doc(bmc) := {"ipmi": {"bmc": bmc, "smbios": {"state": "present"}, "devices": [{"path": "/dev/ipmi0"}]}}

test_passes if {
	count(check.finding) == 0 with input as _doc(_good)
	count(check.unknown) == 0 with input as _doc(_good)
}

test_cipher_zero_fails if {
	bmc := object.union(_good, {"cipherSuite0": "administrator", "anonymous": true})
	count(check.finding) == 2 with input as _doc(bmc)
}

test_unasked_is_unknown if count(check.unknown) == 1 with input as {"ipmi": {"smbios": {"state": "present"}}}

test_no_bmc_does_not_apply if check.not_applicable with input as {"ipmi": {"smbios": {"state": "absent"}}}
