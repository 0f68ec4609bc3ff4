# Each target is one script, for machines without make.
.PHONY: demo install test check bench lock

demo: ; @scripts/demo
install: ; @scripts/install
test: ; @scripts/test
check: ; @scripts/check
bench: ; @scripts/bench
lock: ; @scripts/lock
