#!/bin/bash
# A migration that takes its time while the temporary server is up.
sleep 5
