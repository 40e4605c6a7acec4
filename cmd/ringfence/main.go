// Command ringfence audits the posture of a host that runs AI agents and containers.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
