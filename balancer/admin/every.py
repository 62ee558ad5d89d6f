"""Every command, entered into the table by importing the files that hold them."""

import balancer.admin.absent
import balancer.admin.commands
import balancer.admin.errors
import balancer.admin.frontends
import balancer.admin.listings
import balancer.admin.reports
import balancer.admin.rings
import balancer.admin.servers
import balancer.admin.sessions  # noqa: F401 - they enter their commands into the table
