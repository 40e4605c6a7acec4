//go:build !linux || ringfence_portable

package host

// canAsk says that this system's kernel is one that can be asked.
const canAsk = false
