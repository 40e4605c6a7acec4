package ringfence.kernel.gpu_shared_between_workloads_test

import data.ringfence.kernel.gpu_shared_between_workloads as check

_c(name, devices) := {"id": name, "name": name, "spec": "/c.json", "running": true, "devices": devices, "word": {"by": "root"}}

test_one_card_fails if count(check.finding) == 1 with input as {"containers": [_c("a", ["/dev/nvidia0"]), _c("b", ["/dev/nvidia0"])]}

test_two_cards_pass if count(check.finding) == 0 with input as {"containers": [_c("a", ["/dev/nvidia0"]), _c("b", ["/dev/nvidia1"])]}

test_what_controls_all_of_them_is_no_card if {
	count(check.finding) == 0 with input as {"containers": [_c("a", ["/dev/nvidiactl"]), _c("b", ["/dev/nvidiactl"])]}
}
