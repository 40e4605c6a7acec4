package ringfence.windows.third_party_filters_test

import data.ringfence.windows.third_party_filters as check

test_one_fails if count(check.finding) == 1 with input as {"windowsProviders": [{"key": "{1}", "name": "", "filters": 2, "callouts": 1}]}

test_none_passes if count(check.finding) == 0 with input as {"windowsProviders": []}
