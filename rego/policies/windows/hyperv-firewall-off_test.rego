package ringfence.windows.hyperv_firewall_off_test

import data.ringfence.windows.hyperv_firewall_off as check

test_off_fails if count(check.finding) == 1 with input as {"windowsHyperV": [{"creator": "{1}", "enableFirewall": 0}]}

test_open_fails if count(check.finding) == 1 with input as {"windowsHyperV": [{"creator": "{1}", "enableFirewall": 1, "defaultInboundAction": 0}]}

test_on_passes if count(check.finding) == 0 with input as {"windowsHyperV": [{"creator": "{1}", "enableFirewall": 1, "defaultInboundAction": 1}]}

test_not_set_is_unknown if {
	count(check.finding) == 0 with input as {"windowsHyperV": [{"creator": "{1}"}]}
	count(check.unknown) == 2 with input as {"windowsHyperV": [{"creator": "{1}"}]}
	count(check.unknown) == 1 with input as {"windowsHyperV": [{"creator": "{1}", "enableFirewall": 1}]}
	count(check.unknown) == 0 with input as {"windowsHyperV": [{"creator": "{1}", "enableFirewall": 1, "defaultInboundAction": 1}]}
	count(check.unknown) == 0 with input as {"windowsHyperV": [{"creator": "{1}", "enableFirewall": 0}]}
}

test_a_name_stays_a_word if {
	some f in check.finding with input as {"windowsHyperV": [{"creator": "a'; Remove-Item b; ’c", "enableFirewall": 0}]}
	f.remediation[0].text == "Set-NetFirewallHyperVVMSetting -Name 'a''; Remove-Item b; ’’c' -Enabled True"
}
