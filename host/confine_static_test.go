//go:build linux && !ringfence_portable && !cgo

package host

// dynamic says that the test is linked with the C library, which is loaded from files of its own.
const dynamic = false
