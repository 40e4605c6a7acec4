package ringfence.runtime.machine_monitor_as_root_test

import data.ringfence.runtime.machine_monitor_as_root as check

_doc(change) := {"programs": [object.union({"key": "k", "program": "/p", "uid": 0, "hostUser": true, "hostMnt": true, "seccomp": 0, "zone": "host", "workload": "", "agent": false, "unit": "", "lacks": "", "monitor": "", "ambient": []}, change)]}

test_root_fails if count(check.finding) == 1 with input as _doc({"monitor": "firecracker"})

test_a_jail_passes if count(check.finding) == 0 with input as _doc({"monitor": "firecracker", "hostMnt": false})

test_a_user_passes if count(check.finding) == 0 with input as _doc({"monitor": "qemu-system-x86_64", "uid": 64055})
