package reports

// Places parts what was rendered by where it goes: files by their names, and what goes to standard output. machine says that no person reads that.
func Places(rendered [][]byte, outs []Output) (files map[string][]byte, stdout []byte, machine bool) {
	files = map[string][]byte{}
	for i, o := range outs {
		if o.File == "" {
			stdout, machine = rendered[i], o.Format.Name != "table"
		} else {
			files[o.File] = rendered[i]
		}
	}
	return files, stdout, machine
}
