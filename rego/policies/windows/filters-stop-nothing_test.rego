package ringfence.windows.filters_stop_nothing_test

import data.ringfence.windows.filters_stop_nothing as check

test_boot_alone_fails if count(check.finding) == 1 with input as {"windowsEngine": {"unblocked": [], "boot": true}}

test_a_profile_fails if count(check.finding) == 1 with input as {"windowsEngine": {"unblocked": ["public"], "boot": false}}

test_blocked_passes if count(check.finding) == 0 with input as {"windowsEngine": {"unblocked": [], "boot": false}}
