// Package rego embeds the policies, the Rego code that they share, and the dated data files of
// ports, process patterns, default authentication and version floors.
package rego

import "embed"

// Policies holds policies/<area>/<check>.rego with their tests beside them, and lib.
//
//go:embed policies lib
var Policies embed.FS

// Runtimes is the data file of agent and model runtimes.
//
//go:embed data/runtimes.json
var Runtimes []byte
