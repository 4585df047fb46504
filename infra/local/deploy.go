package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.yaml.in/yaml/v4"
	"golang.org/x/sync/errgroup"
)

// The bucket of the deployment packages and the template.
const bucket = "deployment"

// What SAM would package: the folder of a function.
var codeURI = regexp.MustCompile(`(?m)^(\s+CodeUri:\s*)functions/([\w-]+)\s*$`)

// A variable of the functions that make outgoing calls: to MTS and registries, and of
// the console to the issuer.
var callers = regexp.MustCompile(`(?m)^( +)(?:ALLOWED_RANGES: !Ref AllowedRanges|CLIENT_ID: !Ref ConsoleClientId) *$`)

// deploy uploads the functions and creates the stack from the template, in which
// only the location of the code is changed, and LOCAL_STACK is added: it lets
// functions call loopback, which no parameter of a deployment can.
func (s *Stack) deploy(ctx context.Context, o Options, zips map[string][]byte) error {
	text, err := os.ReadFile(o.Template)
	if err != nil {
		return err
	}
	if s.ticks, err = ticks(text); err != nil {
		return err
	}
	for _, match := range codeURI.FindAllSubmatch(text, -1) {
		if name := string(match[2]); zips[name] == nil {
			return fmt.Errorf("there is no function %s", name)
		}
	}
	text = codeURI.ReplaceAll(text, []byte("${1}s3://"+bucket+"/$2.zip"))
	text = callers.ReplaceAll(text, []byte("${0}\n${1}LOCAL_STACK: \"true\""))
	if err := s.upload(ctx, text, zips); err != nil {
		return err
	}

	issuer := OtherIssuer{Address: s.issuer.Address()}
	issuer.ClientID, issuer.ClientSecret = s.issuer.Console()
	if o.Issuer != nil {
		issuer = *o.Issuer
	}
	client := cloudformation.NewFromConfig(s.emulator.AWS())
	created, err := client.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName:    aws.String(s.name),
		TemplateURL:  aws.String(s.emulator.endpoint + "/" + bucket + "/template.yaml"), // a body may have 51,200 bytes only
		Capabilities: []types.Capability{types.CapabilityCapabilityIam, types.CapabilityCapabilityAutoExpand},
		OnFailure:    types.OnFailureDoNothing, // what failed can be looked at
		Parameters: parameters(map[string]string{
			"Architecture":  architecture(),
			"ScheduleState": "DISABLED", // ticks come by Tick
			"Issuer":        issuer.Address,
			"Audience":      Audience,
			"CallbackBase":  o.CallbackBase,

			"ConsoleBase":         s.proxy.Address(),
			"ConsoleClientId":     issuer.ClientID,
			"ConsoleClientSecret": issuer.ClientSecret,
			"Label":               "LOCAL",

			"AllowedRanges": o.AllowedRanges,
			"Times":         strings.TrimSuffix("tick_limit=1ms,"+o.Times, ","), // ticks come more often than every minute
		}),
	})
	if err != nil {
		return err
	}
	if s.outputs, err = outcome(ctx, client, created.StackId); err != nil {
		return err
	}
	resources, err := client.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: created.StackId})
	if err != nil {
		return err
	}
	s.resources = map[string]string{}
	for _, r := range resources.StackResources {
		s.resources[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
	}
	return nil
}

func (s *Stack) upload(ctx context.Context, text []byte, zips map[string][]byte) error {
	client := s3.NewFromConfig(s.emulator.AWS(), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return err
	}
	put := func(ctx context.Context, key string, body []byte) error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(body)})
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return put(ctx, "template.yaml", text) })
	for name, packed := range zips {
		group.Go(func() error { return put(ctx, name+".zip", packed) })
	}
	return group.Wait()
}

// outcome waits until the stack is created and returns its outputs, or the
// reasons why it is not.
func outcome(ctx context.Context, client *cloudformation.Client, stack *string) (map[string]string, error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		found, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: stack})
		if err != nil {
			return nil, err
		}
		if len(found.Stacks) != 1 {
			return nil, errors.New("the stack is gone")
		}
		switch current := found.Stacks[0]; current.StackStatus {
		case types.StackStatusCreateComplete:
			outputs := map[string]string{}
			for _, o := range current.Outputs {
				outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
			}
			return outputs, nil
		case types.StackStatusCreateInProgress:
		default:
			return nil, failure(ctx, client, stack, current)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}

// failure names the resources that failed, with their reasons.
func failure(ctx context.Context, client *cloudformation.Client, stack *string, failed types.Stack) error {
	reasons := []string{fmt.Sprintf("%s %s", failed.StackStatus, aws.ToString(failed.StackStatusReason))}
	events, err := client.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: stack})
	if err != nil {
		return errors.Join(errors.New(reasons[0]), err)
	}
	for _, e := range events.StackEvents {
		own := aws.ToString(e.PhysicalResourceId) == aws.ToString(stack)
		if strings.HasSuffix(string(e.ResourceStatus), "_FAILED") && !own {
			reasons = append(reasons, fmt.Sprintf("%s (%s): %s", aws.ToString(e.LogicalResourceId),
				aws.ToString(e.ResourceType), aws.ToString(e.ResourceStatusReason)))
		}
	}
	return errors.New(strings.Join(reasons, "\n"))
}

func parameters(values map[string]string) (list []types.Parameter) {
	for name, value := range values {
		list = append(list, types.Parameter{ParameterKey: aws.String(name), ParameterValue: aws.String(value)})
	}
	return list
}

// architecture is Lambda's name for the architecture of this machine.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// tick is what a schedule of the template does: it invokes a function, named by
// its resource, with an input.
type tick struct{ resource, input string }

// ticks reads the schedules of a template, in their order. One under a condition
// is for subnets, which are not here.
func ticks(text []byte) ([]tick, error) {
	var document struct {
		Resources yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	var list []tick
	// Pairs of name and resource. They are read as nodes, because decoding into
	// values drops the tag !GetAtt without an error.
	for pairs := document.Resources.Content; len(pairs) >= 2; pairs = pairs[2:] {
		var resource struct {
			Type       string    `yaml:"Type"`
			Condition  string    `yaml:"Condition"`
			Properties yaml.Node `yaml:"Properties"`
		}
		if err := pairs[1].Decode(&resource); err != nil {
			return nil, fmt.Errorf("%s: %w", pairs[0].Value, err)
		}
		if resource.Type != "AWS::Scheduler::Schedule" || resource.Condition != "" {
			continue
		}
		var schedule struct {
			Target struct {
				Arn   yaml.Node `yaml:"Arn"`
				Input string    `yaml:"Input"`
			} `yaml:"Target"`
		}
		if err := resource.Properties.Decode(&schedule); err != nil {
			return nil, fmt.Errorf("%s: %w", pairs[0].Value, err)
		}
		function, attribute, _ := strings.Cut(schedule.Target.Arn.Value, ".")
		if schedule.Target.Arn.Tag != "!GetAtt" || attribute != "Arn" {
			return nil, fmt.Errorf("%s: its target is not !GetAtt <function>.Arn", pairs[0].Value)
		}
		list = append(list, tick{function, schedule.Target.Input})
	}
	return list, nil
}

// lines lets several writers write whole lines.
type lines struct {
	mu sync.Mutex
	to io.Writer
}

func (l *lines) say(line string) { _, _ = l.Write([]byte(line + "\n")) }

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(text)
}
