// Command ringfence audits the posture of a host that runs AI agents and containers.
package main

import (
	"os"
	"runtime"
)

func main() {
	// Threads that look into other namespaces stay there and end. The first one cannot end, and /proc/self is about it.
	runtime.LockOSThread()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
