package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// Logs are all lines of all log groups, one group after the other, with the
// lines START, END and REPORT as on AWS. The lines of an invocation appear when
// it has ended, in the order of the ends; what it wrote last may appear with the
// next one of the same process only.
func (s *Stack) Logs(ctx context.Context) ([]string, error) {
	var all []string
	groups := cloudwatchlogs.NewDescribeLogGroupsPaginator(s.logs, &cloudwatchlogs.DescribeLogGroupsInput{})
	for groups.HasMorePages() {
		page, err := groups.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.LogGroups {
			lines, err := s.logGroup(ctx, g.LogGroupName)
			if err != nil {
				return nil, fmt.Errorf("log group %s: %w", aws.ToString(g.LogGroupName), err)
			}
			all = append(all, lines...)
		}
	}
	return all, nil
}

// Log are all lines of a function by its short name, as in Logs. It is an error if
// the function has not logged yet.
func (s *Stack) Log(ctx context.Context, function string) ([]string, error) {
	return s.logGroup(ctx, aws.String("/aws/lambda/"+s.Function(function)))
}

// logGroup pages by time, because the emulator gives no token for the next page.
func (s *Stack) logGroup(ctx context.Context, name *string) ([]string, error) {
	const most = 10_000 // events of a page
	var lines []string
	var from *int64
	for {
		page, err := s.logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: name, Limit: aws.Int32(most), StartTime: from,
		})
		if err != nil {
			return nil, err
		}
		events := page.Events
		if len(events) == 0 {
			return lines, nil
		}
		// The last millisecond of a full page may be incomplete: it is read again.
		last := aws.ToInt64(events[len(events)-1].Timestamp)
		full := len(events) == most
		if full && last == aws.ToInt64(events[0].Timestamp) {
			return nil, fmt.Errorf("more than %d lines within a millisecond", most)
		}
		for _, e := range events {
			if full && aws.ToInt64(e.Timestamp) == last {
				break
			}
			lines = append(lines, aws.ToString(e.Message))
		}
		if !full {
			return lines, nil
		}
		from = &last
	}
}

// KillFunctionProcesses kills (SIGKILL) every process of a function, idle or in
// the middle of an invocation, and returns how many there were. The emulator
// starts new ones. Linux only.
func (s *Stack) KillFunctionProcesses(function string) (int, error) {
	processes, err := s.processes(s.Function(function))
	if err != nil {
		return 0, err
	}
	killed := 0
	for _, pid := range processes {
		switch err := syscall.Kill(pid, syscall.SIGKILL); {
		case err == nil:
			killed++
		case !errors.Is(err, syscall.ESRCH): // ended by itself
			return killed, err
		}
	}
	return killed, nil
}

// processes are the ids of the processes in the emulator's process group that
// run the function.
func (s *Stack) processes(function string) ([]int, error) {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	if len(folders) == 0 {
		return nil, errors.New("no /proc: processes of functions can be found on Linux only")
	}
	mark := []byte("AWS_LAMBDA_FUNCTION_NAME=" + function)
	var found []int
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue
		}
		group, err := syscall.Getpgid(pid)
		if err != nil || group != s.emulator.process.Group() {
			continue
		}
		environment, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil {
			continue // ended meanwhile
		}
		for _, variable := range bytes.Split(environment, []byte{0}) {
			if bytes.Equal(variable, mark) {
				found = append(found, pid)
			}
		}
	}
	return found, nil
}
