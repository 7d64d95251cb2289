// This file lets oracle.go declare functions that have their body elsewhere (go:linkname).
