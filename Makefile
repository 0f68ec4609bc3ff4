# Each target is one script, for machines without make.
.PHONY: demo install test test-compose check bench torture lock

demo: ; @scripts/demo
install: ; @scripts/install
test: ; @scripts/test
test-compose: ; @scripts/test-compose
check: ; @scripts/check
bench: ; @scripts/bench
torture: ; @scripts/torture
lock: ; @scripts/lock
