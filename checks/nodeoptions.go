//go:build linux && !ringfence_portable

package checks

// nodeValued are the options of Node 20 and 24 that have a value in the next argument, by their own tables of options.
var nodeValued = []string{
	"-r", "-C", "--allow-fs-read", "--allow-fs-write", "--build-snapshot-config", "--conditions", "--cpu-prof-dir", "--cpu-prof-interval",
	"--cpu-prof-name", "--debug-port", "--diagnostic-dir", "--disable-proto", "--disable-warning", "--dns-result-order", "--env-file",
	"--env-file-if-exists", "--experimental-config-file", "--experimental-default-type", "--experimental-loader", "--experimental-policy",
	"--experimental-sea-config", "--heap-prof-dir", "--heap-prof-interval", "--heap-prof-name", "--heapsnapshot-near-heap-limit", "--heapsnapshot-signal",
	"--icu-data-dir", "--import", "--input-type", "--inspect-port", "--inspect-publish-uid", "--loader", "--localstorage-file", "--max-http-header-size",
	"--max-old-space-size", "--max-old-space-size-percentage", "--network-family-autoselection-attempt-timeout", "--openssl-config", "--policy-integrity",
	"--redirect-warnings", "--report-dir", "--report-directory", "--report-filename", "--report-signal", "--require", "--run", "--secure-heap",
	"--secure-heap-min", "--security-revert", "--security-reverts", "--snapshot-blob", "--stack-trace-limit", "--test-concurrency",
	"--test-coverage-branches", "--test-coverage-exclude", "--test-coverage-functions", "--test-coverage-include", "--test-coverage-lines",
	"--test-global-setup", "--test-isolation", "--test-name-pattern", "--test-random-seed", "--test-reporter", "--test-reporter-destination",
	"--test-rerun-failures", "--test-shard", "--test-skip-pattern", "--test-timeout", "--title", "--tls-cipher-list", "--tls-keylog",
	"--trace-event-categories", "--trace-event-file-pattern", "--trace-require-module", "--unhandled-rejections", "--use-largepages", "--v8-pool-size",
	"--watch-kill-signal", "--watch-path",
}
