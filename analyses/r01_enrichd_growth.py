"""How do depression scores change over a real CBT trial?

Data: the CBT arm of the ENRICHD trial, 557 depressed cardiac patients with 5 to 36 BDI scores over half a year.
Model: growth with random intercepts and slopes; antidepressant use split into within and between patients.
"""

import alliancekit as ak

study = ak.read_study("data/enrichd_cbt_bdi")
checks = ak.validate(study)

# Months since randomisation; medication varies within and between patients.
study = study.with_data(study.data.assign(month=lambda d: d["time"] / 30.4375))
study = ak.within_between(study, "med", by="patient")

null = ak.mixed("bdi ~ 1 + (1 | patient)", study)
linear = ak.mixed("bdi ~ month + (1 + month | patient)", study)
growth = ak.mixed("bdi ~ log(month + 1) + (1 + log(month + 1) | patient)", study)
full = ak.mixed("bdi ~ log(month + 1) + med_within + med_between + (1 + log(month + 1) | patient)", study)
print(full)

lrt = ak.compare(growth, full)
audit = ak.check_assumptions(full, study, comparisons=[lrt])
report = ak.Report(
    "Depression Over a Course of CBT: Growth in the ENRICHD Trial",
    study=study,
    data="real",
    question="How do depression scores change over half a year of cognitive behavioural therapy, and do they "
    "differ with antidepressants, within and between patients?",
)
flow = ak.sample_flow(study, fit=full)
report.section("Sample and Flow", flow, ak.figure(flow), checks)
report.section(
    "Descriptives",
    ak.describe(study, ["bdi", "med", "month"]),
    ak.correlations(study, ["bdi", "med", "month"], by="patient"),
)
report.section(
    "Model",
    "Scores fall fast at first and then level off, so that time enters as the log of months plus one. Medication "
    "is split into the patient's share of visits on an antidepressant (between) and the deviation from it at a visit "
    "(within).",
    ak.equation(full),
)
report.section("Models Side by Side", ak.table(null, linear, growth, full))
answer = ak.sentence(full, terms=["log(month + 1)", "med_within", "med_between"], headline=True)
report.section("Estimates", answer, full, lrt)
report.section("Figures", *(ak.figure(full, kind) for kind in ("trajectories", "effects", "diagnostics")))
report.section("Second Opinion", ak.crosscheck(full))
report.section("Assumption Audit", audit)
report.limits(
    "Antidepressants were not randomised: the within and between differences describe, they do not show an effect.",
    "Only the CBT arm is in the data; nothing can be said about CBT against usual care.",
    "The fitted course runs above the observed means in the first months and below them at the end: patients with "
    "more symptoms are seen longer, or the course levels off sooner than the logarithm. The form was not tested.",
    "Residuals are taken as independent given the random effects; autocorrelated residuals come in a later version.",
)
report.write("reports/r01_enrichd_growth")
