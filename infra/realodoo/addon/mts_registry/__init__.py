"""What the MTS connector relies on in OpenG2P's registry (line 15.0), in one
file that loads on Odoo 14 as on Odoo 19. The names of models and fields are
OpenG2P's; rules and messages are written from what its servers do."""

import re
from datetime import date

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import ValidationError


class Registrant(models.Model):
    _inherit = "res.partner"

    is_registrant = fields.Boolean("Registrant")
    is_group = fields.Boolean("Group")
    family_name = fields.Char()
    given_name = fields.Char()
    addl_name = fields.Char("Additional Name")
    birth_place = fields.Char()
    birthdate = fields.Date("Date of Birth")
    age = fields.Char(compute="_compute_age")
    gender = fields.Selection([("Male", "Male"), ("Female", "Female"), ("Other", "Other")])
    address = fields.Text()
    income = fields.Float()
    registration_date = fields.Date(default=lambda self: fields.Date.today())
    company_id = fields.Many2one(required=True, default=lambda self: self.env.company)
    disabled = fields.Datetime("Date Disabled")
    disabled_reason = fields.Text("Reason for Disabling")
    tags_ids = fields.Many2many("g2p.registrant.tags", string="Registrant Tags")
    reg_ids = fields.One2many("g2p.reg.id", "partner_id", "Registrant IDs")
    phone_number_ids = fields.One2many("g2p.phone.number", "partner_id", "Phone Numbers")

    @api.depends("birthdate")
    def _compute_age(self):
        today = date.today()
        for person in self:
            born = person.birthdate
            person.age = (
                str(today.year - born.year - ((today.month, today.day) < (born.month, born.day)))
                if born
                else "No Birthdate!"
            )

    def enable_registrant(self):
        """A method that returns nothing."""
        self.disabled = False


class Tags(models.Model):
    _name = "g2p.registrant.tags"
    _description = "Registrant Tags"

    name = fields.Char()


class Gender(models.Model):
    _name = "gender.type"
    _description = "Gender Type"
    _rec_name = "code"

    code = fields.Char()
    value = fields.Char()
    active = fields.Boolean(default=True)


class Phone(models.Model):
    _name = "g2p.phone.number"
    _description = "Phone Number"
    _order = "id desc"
    _rec_name = "phone_no"

    partner_id = fields.Many2one("res.partner", "Registrant", required=True)
    phone_no = fields.Char("Phone Number", required=True)
    date_collected = fields.Date(default=lambda self: fields.Date.today())
    disabled = fields.Datetime("Date Disabled")


class IdentifierType(models.Model):
    _name = "g2p.id.type"
    _description = "ID Type"
    _order = "id desc"

    name = fields.Char()
    id_validation = fields.Char()

    @api.constrains("name")
    def _check_name(self):
        self.ensure_one()
        if self.search_count([("name", "=ilike", self.name), ("id", "!=", self.id)]):
            raise ValidationError("Id type already exists")


class Identifier(models.Model):
    _name = "g2p.reg.id"
    _description = "Registrant ID"
    _order = "id desc"

    partner_id = fields.Many2one("res.partner", "Registrant", required=True)
    id_type = fields.Many2one("g2p.id.type", "ID Type", required=True)
    id_type_as_str = fields.Char(related="id_type.name")
    value = fields.Char(size=100)
    expiry_date = fields.Date()

    @api.depends("partner_id")
    def _compute_display_name(self):
        for identifier in self:
            identifier.display_name = identifier.partner_id.name or ""

    @api.constrains("partner_id", "id_type")
    def _check_one_of_a_type(self):
        for identifier in self:
            if self.search_count(
                [("partner_id", "=", identifier.partner_id.id), ("id_type", "=", identifier.id_type.id)]
            ) > 1:
                raise ValidationError("ID Type must be unique.")

    @api.constrains("value")
    def _check_value(self):
        for identifier in self:
            if not identifier.value:
                return  # the rest is not checked, as in OpenG2P
            kind = identifier.id_type
            if kind.id_validation and not re.match(kind.id_validation, identifier.value):
                raise ValidationError("The provided %s ID '%s' is invalid." % (kind.name, identifier.value))


def people(*known):
    """Makes the users of the tests, with their groups under one heading. Odoo 14
    passes a cursor and a registry, later lines an environment; some of their
    fields have other names."""
    env = known[0] if len(known) == 1 else api.Environment(known[0], SUPERUSER_ID, {})
    users = env["res.users"].with_context(no_reset_password=True)
    groups = "group_ids" if "group_ids" in users._fields else "groups_id"
    admin, registrar = env.ref("mts_registry.admin"), env.ref("mts_registry.registrar")
    env.ref("base.user_admin").write({"password": "admin", groups: [(4, admin.id)]})
    name = "OpenG2P Module Access"
    if "category_id" in admin._fields:
        (admin + registrar).write({"category_id": env["ir.module.category"].create({"name": name}).id})
    else:
        (admin + registrar).write({"privilege_id": env["res.groups.privilege"].create({"name": name}).id})
    internal = env.ref("base.group_user").id
    for login, own in (("clerk", []), ("registrar", [registrar.id])):
        users.create(
            {"name": login, "login": login, "password": login + "pw1", groups: [(6, 0, [internal] + own)]}
        )
