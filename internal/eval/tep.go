package eval

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/ml"
)

// The Tennessee Eastman process as simulated by Chiang, Russell and Braatz (2001): 52 variables every three minutes. A test
// file dNN_te.dat has its fault from row tepFault (0-based) on; d00_te.dat has none.
const (
	tepVariables = 52
	tepFault     = 160
)

// Tep learns on d00.dat in dir and scores the dNN_te.dat there.
func Tep(dir string, told Progress) (*Table, error) {
	learn, err := readNumbers(filepath.Join(dir, "d00.dat"))
	if err != nil {
		return nil, err
	}
	if len(learn) == tepVariables && len(learn[0]) != tepVariables { // it is stored transposed
		turned := make([][]float64, len(learn[0]))
		for i := range turned {
			turned[i] = make([]float64, len(learn))
			for j := range learn {
				turned[i][j] = learn[j][i]
			}
		}
		learn = turned
	}
	files, err := filepath.Glob(filepath.Join(dir, "d[0-9][0-9]_te.dat"))
	if err != nil {
		return nil, err
	}
	all := trial{learn: learn}
	for _, path := range files {
		rows, err := readNumbers(path)
		if err != nil {
			return nil, err
		}
		if len(rows[0]) != tepVariables || len(learn[0]) != tepVariables || len(rows) <= tepFault {
			return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: fmt.Sprintf("%s has %d rows of %d variables; more than %d of %d were expected", path, len(rows), len(rows[0]), tepFault, tepVariables)}
		}
		s := series{path: path, columns: tepNames(), rows: rows, labelled: make([]bool, len(rows))}
		for i := tepFault; i < len(rows) && filepath.Base(path) != "d00_te.dat"; i++ {
			s.labelled[i] = true
		}
		all.tests = append(all.tests, s)
	}
	if len(all.tests) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.NotFound, Message: dir + " holds no dNN_te.dat"}
	}
	table := &Table{Step: 3 * time.Minute, told: told}
	return table, table.add("tep", []trial{all}, tepRecipes)
}

// PCA of single rows with 9 components is what is usual for this set. Averaging scores over ten rows, half an hour, finds
// more at the cost of minutes. Noise and context did not help the autoencoder here.
var tepRecipes = []recipe{
	{name: "pca", train: pca(9)},
	{name: "pca-lagged", smooth: 10, context: ml.Context{Blocks: 3, Stride: 1, Summary: ml.Last}, train: pca(0)},
	{name: "isolation-forest", smooth: 10, train: forest},
	{name: "autoencoder", smooth: 10, train: autoencoder([]int{32, 20, 32}, ml.Training{Epochs: 100, Rate: 2e-3, Batch: 32, Seed: 1})},
}

// readNumbers reads lines of as many numbers each, apart by spaces.
func readNumbers(path string) ([][]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unopened(path, err)
	}
	defer f.Close()
	var rows [][]float64
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		row := make([]float64, len(fields))
		for i, field := range fields {
			if row[i], err = strconv.ParseFloat(field, 64); err != nil {
				return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: fmt.Sprintf("%s line %d holds %.40q, which is no number", path, len(rows)+1, field), Err: err}
			}
		}
		if len(rows) > 0 && len(row) != len(rows[0]) || len(rows)*len(row) > mostCells {
			return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: fmt.Sprintf("%s line %d has %d numbers; the first has %d", path, len(rows)+1, len(row), len(rows[0]))}
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: path + " cannot be read", Err: err}
	}
	if len(rows) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: path + " is empty"}
	}
	return rows, nil
}

// tepNames are the variables' names: 41 measurements, then 11 manipulated ones.
func tepNames() []string {
	names := make([]string, tepVariables)
	for i := range names {
		names[i] = fmt.Sprintf("XMEAS(%d)", i+1)
		if i >= 41 {
			names[i] = fmt.Sprintf("XMV(%d)", i-40)
		}
	}
	return names
}
